//! Every request of the notification service, from bytes to a command. The first byte
//! chooses the request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = service_kit::readers::feed(notification::readers::ALL, bytes);
});
