//! What a hostile partner may not do. The whole service stands behind its
//! guard and its limits; somebody does his worst, and then another firm is
//! answered as ever, and the service's log says what was refused.

mod deadlines;
mod floods;
mod forged;
mod frames;
mod garbage;
mod others;
mod readers;
mod site;
mod sizes;
