"""What a recording is: layouts, readers, cleaning, the store, made-up motions."""
