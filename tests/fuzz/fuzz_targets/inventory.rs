//! Every request of the inventory service, from bytes to a command. The first byte
//! chooses the request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = service_kit::readers::feed(inventory::readers::ALL, bytes);
});
