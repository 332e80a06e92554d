//! What a reader does with a stream that has lost something.
