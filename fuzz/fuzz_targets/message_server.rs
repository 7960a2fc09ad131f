#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::message_server::run(data));
