#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::handshake_response::run(data));
