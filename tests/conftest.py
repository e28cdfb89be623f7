from hypothesis import settings

# first looks are compiled for seconds when they are first called, and a busy machine is slow without being wrong
settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")
