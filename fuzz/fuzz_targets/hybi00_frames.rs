#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::hybi00_frames::run(data));
