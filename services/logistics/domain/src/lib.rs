//! Pure core of the logistics service.
