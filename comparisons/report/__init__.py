"""One HTML page from results: the article's table, the styles and their formulas, figures, λ translations."""
