//! Links tidegate-proto, with all features, into a program without std: with a panic handler and an allocator of its
//! own, which no program that has std anywhere in it could have. Exit status 0 if what it links also works.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use tidegate_proto::deflate::{Context, Deflater, DeflaterConfig, InflateLimits, Inflater, WindowBits};
use tidegate_proto::{Assembler, Connection, Decoder, Encoder, Limits, MaskingKey, MessageType, Receiver, Role, Times};
use tidegate_proto::handshake::{Extensions, HttpVersion, Request, ServerRules, check};

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    i32::from(!(shakes_hands() && compressed_message_arrives()))
}

fn shakes_hands() -> bool {
    let request = Request::new(*b"sixteen bytes ok");
    let mut sent = request.fields();
    sent.push(("Host", "example.com".into()));
    let Ok(offer) = check("GET", HttpVersion::Http11, sent.as_slice(), ServerRules::default()) else { return false };
    let Ok(answer) = offer.answer(None, &Extensions::default()) else { return false };
    request.verify(101, answer.as_slice()).is_ok()
}

/// From a client's encoder to a server's assembler, masked and deflated on the way.
fn compressed_message_arrives() -> bool {
    let text = b"the same words, the same words, the same words, the same words";
    let config = DeflaterConfig { window: WindowBits::MAX, context: Context::Fresh, level: 6, mem_level: 8 };
    let mut encoder = Encoder::new(Role::Client).with_deflate(Deflater::new(config), 0);
    let limits = InflateLimits::default();
    let receiver = Receiver::new(Decoder::new(Role::Server, Limits::default()))
        .with_deflate(Inflater::new(WindowBits::MAX, Context::Fresh, limits));
    let mut server =
        Connection::new(receiver, Encoder::new(Role::Server), &Times::default(), Duration::ZERO, *b"no stdlb");

    let mut room = [0; 256];
    let key = Some(MaskingKey::new([1, 2, 3, 4]));
    let Ok(encoded) = encoder.encode(MessageType::Text, text, true, key, &mut room) else { return false };
    let mut wire = Vec::from(room.get(encoded.frame).unwrap_or_default());
    let mut inflated = [0; 256];
    let Ok(Some((_, event))) = server.handle_bytes(Duration::ZERO, &mut wire, &mut inflated) else { return false };
    let mut assembler = Assembler::new(1 << 10);
    matches!(assembler.push(&event), Ok(Some(message)) if message.payload == text)
}

/// Gives memory once and never takes it back: enough for a program that ends.
struct Bump {
    used: AtomicUsize,
}

const HEAP_BYTES: usize = 4 << 20;

#[repr(align(64))]
struct Heap(core::cell::UnsafeCell<[u8; HEAP_BYTES]>);

// SAFETY: `Bump` gives each byte of it away once.
unsafe impl Sync for Heap {}

static HEAP: Heap = Heap(core::cell::UnsafeCell::new([0; HEAP_BYTES]));

#[global_allocator]
static ALLOCATOR: Bump = Bump { used: AtomicUsize::new(0) };

// SAFETY: every block is inside of HEAP, aligned as asked, and given away once.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = HEAP.0.get() as usize;
        let mut block = 0;
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            block = (base + used).next_multiple_of(layout.align());
            let end = block - base + layout.size();
            (end <= HEAP_BYTES).then_some(end)
        });
        if taken.is_ok() { block as *mut u8 } else { core::ptr::null_mut() }
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    abort()
}

/// What unwinding would call. `alloc` was built for programs that unwind; this one aborts.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[link(name = "c")]
unsafe extern "C" {
    // Takes nothing and does not return.
    safe fn abort() -> !;
}
