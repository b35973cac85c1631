"""How does it look? Pictures as PNG and SVG, at the size at which a paper prints them."""
