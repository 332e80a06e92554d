//! Pure core of the order service.
