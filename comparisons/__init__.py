"""What differs, and why? A map: the rooms from top to bottom, and what is decided in which file.

A room imports rooms below it, never one above it, nor one beside it: report and tables are beside each other, and so
are agreement and recorders. Below them all are torch_impl and reference; what users import is in l1_parity.

__main__.py                 the command line: which commands there are, --version, one line for bad input
commands/                   a command each: its options and their help; errors that name an option
    options.py              options that several commands share, and --json
    article.py              is the article reproduced?
    parity.py               does an experiment give equal weights in NumPy and in PyTorch?
    styles.py               what does every style do to a network?
    differences.py          what does each implementation difference do?
    lamda.py                which λ makes one style train as another does?
    compare.py              are two recorded runs the same?
    diagnose.py             is a recorded run the experiment that it should be?
    report.py               everything on one page
report/                     one HTML page with figures
    page.py                 what stands on the page, and where
    files.py                result files: what is read, and what is refused
    formulas.py             formulas as MathML
    figures.py              the figures, drawn
    pictures.py             figures inside a page
    environment.py          the computer and its software
tables/                     what a command prints, and its result file
    terminal.py             width, tables; of the exit statuses of many rows, which counts
    article.py              the article's table, and its worked example
    parity.py               a row for each run, and what is printed of one that differs
    styles.py               a row for each style and λ
    differences.py          a row for each implementation difference
    lamda.py                the λ to use, and its proof
studies/                    what a command finds out
    article.py              the article's rows, and their published figures
    article_words.py        what the rows say in words, and as a result file
    parity.py               one experiment on both sides: free, in lockstep, certified, recorded
    styles.py               accuracy, size of weights and zeros, over a grid of λ and seeds
    styles_words.py         what the grid says in words, and as a result file
    differences.py          the table of implementation differences that `differences` measures
    boundary.py             few noisy items with two features: how L1 changes the boundary
    parallel.py             rows in parallel processes, with a progress bar
same_training.py            assert_same_training and compare: two traces, or two training codes in lockstep
diagnosis/                  why do two runs differ?
    hypotheses.py           the differences that can be named, such as a missing penalty, each with its sentence
    forms.py                how each difference changes an update
    update_rule.py          an update as a formula whose parts can be exchanged
    other_formulas.py       styles, optimizers and clippings that no experiment can express
    updates.py              the recorded updates, each with its gradient
    evidence.py             which gradient is used: computed, recorded, or worked out
    window.py               which updates an explanation must predict
    thresholds.py           how many updates it must predict, how well, and every other limit, with its reason
    fit.py                  the number of a difference (a λ, a β) from the updates
    batches.py              another start, other items, another order of the items
    search.py               which difference explains it; which of several is named first
    rounding.py             do they differ by rounding alone, measured in updates?
    residuals.py            what is left of a parameter's updates, beside what rounding makes of them
    lamda_effect.py         has λ any effect on two equal runs?
    words.py                the diagnosis in sentences; the λ to use
    comparison_words.py     the verdict and what was compared, in sentences and for programs
    finding.py              what `compare` prints, and its result file
lamda/                      which λ makes one style train as another does?
    translation.py          the λ and when it holds, or why there is none; asked of the styles' own formulas
    units.py                what other libraries call λ
    proof.py                both trained and compared
agreement/                  do two runs agree?
    bits.py                 when two numbers differ; when parity, or any comparison, exits with 0, 1 or 3
    blocks.py               the one comparison of two runs: after which update do they first differ?
    free_run.py             both sides on their own, compared after every update
    lockstep.py             the candidate restarted from the reference's parameters before every update
    controls.py             would a wrong L1 have been seen?
    ties.py                 what a rounding tie is, how near a run came to one, and which differences one explains
    tolerances.py           how far rounding alone can take float64 and float32 apart in one update
    rounding_errors.py      arithmetic with the rounding error of every value
    columns.py              the columns of two traces, row beside row
    digests.py              states and items for which no row was written
    beside.py               gradients, what optimizers remember, buffers
    coverage.py             which states were not compared, and whether the runs were compared to their ends
    traces.py               two recorded runs: equal, different, or nothing proved
recorders/                  who writes a recorded run
    plain.py                any program with arrays
    checks.py               what a recorder takes; when a trace may be replaced
    pytorch.py              hooks on a PyTorch optimizer
    keras.py                a Keras callback
    jax.py                  names for the arrays of Flax and optax
runs/                       a recorded run
    targets.py              files that are written: checked before the work, whole or not at all
    trace.py                what a trace may contain, and what is refused
    header.py               what its header may say
    journal.py              what a recorder appends to, and what is left after a crash
    names.py                which parameter of the candidate is which of the reference
    experiment_file.py      an experiment as it is written down in a header or a TOML file
    files.py                reading TOML
"""
