"""Which λ makes one style train as another does?"""
