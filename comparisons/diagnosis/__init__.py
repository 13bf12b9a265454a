"""Why do two runs differ?"""
