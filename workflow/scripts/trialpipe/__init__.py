"""Clinical trials from raw extracts to reports."""

import gc

# a job lives for a second: at the default threshold, searching what the imports made costs a fifth of it
gc.set_threshold(100_000, 50, 50)
