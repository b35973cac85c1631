"""Who answers? A model behind a server, asked over HTTP through the official clients."""
