"""Do two runs agree, and if not, where do they part?"""
