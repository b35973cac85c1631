"""Which weights? A reference resolved to a verified local folder, and the device and number format to use it with."""
