"""Who answers? Every engine is fitted on examples and becomes a classifier of questions."""
