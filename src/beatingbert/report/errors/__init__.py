"""Where does a run go wrong? Tables of one run's mistakes, from its folder alone."""
