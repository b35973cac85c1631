"""Which candidate for this data, under this budget and these limits?"""
