//! Changes to inputs that keep most of their structure, so that a change gets past the outermost check.

pub mod der;
pub mod pem;
pub mod text;

use crate::random::Random;

/// `data` with a few bytes changed, moved or lost.
#[must_use]
pub fn bytes(random: &mut Random, data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=random.below(4) {
        if data.is_empty() {
            break;
        }
        let at = random.below(data.len());
        match random.below(6) {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = random.next().to_le_bytes()[0],
            2 => data.truncate(at),
            3 => drop(data.remove(at)),
            4 => data.insert(at, random.pick(&[0, 0x30, 0x80, 0xff, b'-', b'\n', b'='])),
            _ => {
                let end = (at + random.below(40)).min(data.len());
                let piece = data[at..end].to_vec();
                let to = random.below(data.len());
                data.splice(to..to, piece);
            }
        }
    }
    data
}

/// How often something is repeated: mostly once, sometimes so often that work which grows faster than the input shows.
fn repeats(random: &mut Random) -> usize {
    random.pick(&[1, 1, 1, 1, 2, 3, 8, 40, 300])
}

/// Bytes a single change may add.
const GROWTH: usize = 16 << 10;

/// Choices after a few changes: bytes changed, and runs of choices moved, doubled, removed or drawn again.
#[must_use]
pub fn choices(random: &mut Random, data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        let end = (at + random.below(12)).min(data.len());
        match random.below(5) {
            0 => drop(data.drain(at..end)),
            1 => {
                let run = data[at..end].to_vec();
                let to = random.below(data.len() + 1);
                data.splice(to..to, run);
            }
            2 => {
                let new: Vec<u8> =
                    (0..random.below(12)).map(|_| random.next().to_le_bytes()[0]).collect();
                data.splice(at..end, new);
            }
            _ => data = bytes(random, &data),
        }
    }
    data
}
