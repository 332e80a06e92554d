//! Pure core of the inventory service.
