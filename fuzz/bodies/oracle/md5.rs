//! MD5 (RFC 1321), for the proof of hybi-00.

pub(crate) fn md5(message: &[u8]) -> [u8; 16] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_le_bytes());
    let mut hash = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks(64) {
        let words: Vec<u32> = block
            .chunks(4)
            .map(|word| word.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
            .collect();
        let [mut a, mut b, mut c, mut d] = hash;
        for (t, constant) in constants().enumerate() {
            let (mixed, place) = match t {
                0..16 => (b & c | !b & d, t),
                16..32 => (d & b | !d & c, 5 * t + 1),
                32..48 => (b ^ c ^ d, 3 * t + 5),
                _ => (c ^ (b | !d), 7 * t),
            };
            let turn = TURNS[t / 16][t % 4];
            let sum = [a, mixed, constant, words[place % 16]].into_iter().fold(0, u32::wrapping_add);
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(turn)));
        }
        for (slot, add) in hash.iter_mut().zip([a, b, c, d]) {
            *slot = slot.wrapping_add(add);
        }
    }
    let bytes: Vec<u8> = hash.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.try_into().expect("four words are sixteen bytes")
}

/// §3.4: the integer parts of the sines of 1 to 64, times 2³².
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sine is at most 1, and this one is positive"
)]
fn constants() -> impl Iterator<Item = u32> {
    (1..=64).map(|angle| (f64::from(angle).sin().abs() * 4_294_967_296.0) as u32)
}

const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
