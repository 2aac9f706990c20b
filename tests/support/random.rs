//! Reproducible randomness: xorshift64*, or the choices a fuzzer made.

/// A stream of numbers that depends on its seed, or on the bytes it was given, alone.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// Choices still to be made as given, the last one first; the stream of a seed follows them.
    choices: Vec<u8>,
}

impl Random {
    /// The stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        // SplitMix64's finalizer: neighbouring seeds give unrelated streams, and none gives 0.
        let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { state: (z ^ (z >> 31)) | 1, choices: Vec::new() }
    }

    /// Choices out of `bytes`, one byte for each choice of up to 256 things, then the stream of seed 0. Whatever draws
    /// from it is a grammar a fuzzer can explore: a changed byte is another choice in one place.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { choices: bytes.iter().rev().copied().collect(), ..Self::new(0) }
    }

    /// Whether every given choice has been made.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.choices.is_empty()
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait, reason = "a generator, which never ends")]
    pub fn next(&mut self) -> u64 {
        if !self.choices.is_empty() {
            return self.given(8);
        }
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn given(&mut self, bytes: usize) -> u64 {
        let from = self.choices.len().saturating_sub(bytes);
        self.choices.drain(from..).fold(0, |number, byte| number << 8 | u64::from(byte))
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        let drawn = match (self.choices.is_empty(), n) {
            (true, _) => self.next() >> 33,
            (false, 0..=0x100) => self.given(1),
            (false, 0x101..=0x1_0000) => self.given(2),
            (false, _) => self.given(4),
        };
        usize::try_from(drawn).unwrap_or(0) % n.max(1)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        // The last of `n`, not the first: a run of zero bytes is a plain case, not one with every oddity.
        if self.choices.is_empty() { self.below(n) == 0 } else { self.below(n) + 1 == n.max(1) }
    }

    /// One of `items`.
    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// Brings `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
