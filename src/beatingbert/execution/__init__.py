"""Where does it run? Executors run opaque jobs; they have never heard of tasks or engines."""
