"""In which words? Templates a user can edit, demonstrations, chat turns, and how a reply is read."""
