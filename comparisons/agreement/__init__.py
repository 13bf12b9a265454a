"""Do two runs agree, and if not, after which update do they first differ?"""
