//! Pure core of the notification service.
