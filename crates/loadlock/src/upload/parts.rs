//! How a multipart upload is cut into parts.

const MIB: u64 = 1 << 20;
/// Smallest part planned (S3 takes 5 MiB; fewer requests are kinder).
const MIN_PART_BYTES: u64 = 8 * MIB;
/// S3's limit on parts.
pub const MAX_PARTS: u64 = 10_000;

/// The number of a part: 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber(u16);

impl PartNumber {
    /// A part's number, if it is one.
    pub fn new(number: u64) -> Option<Self> {
        let number = u16::try_from(number).ok()?;
        (1..=10_000).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn value(self) -> u16 {
        self.0
    }
}

/// A file cut into parts of one size, the last one shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartPlan {
    size_bytes: u64,
    part_size_bytes: u64,
}

impl PartPlan {
    /// The plan for a file of this size: at least 8 MiB a part, at most 10,000 parts, whole MiB.
    pub fn new(size_bytes: u64) -> Self {
        let part = size_bytes
            .div_ceil(MAX_PARTS)
            .div_ceil(MIB)
            .saturating_mul(MIB);
        Self {
            size_bytes,
            part_size_bytes: part.max(MIN_PART_BYTES),
        }
    }

    /// The size of every part but the last.
    pub fn part_size_bytes(self) -> u64 {
        self.part_size_bytes
    }

    /// How many parts there are; an empty file has one, which is empty.
    pub fn count(self) -> u16 {
        let count = self.size_bytes.div_ceil(self.part_size_bytes).max(1);
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// The size of one part, if the plan has it.
    pub fn size_of(self, number: PartNumber) -> Option<u64> {
        let before = u64::from(number.0 - 1) * self.part_size_bytes;
        (number.0 <= self.count()).then(|| (self.size_bytes - before).min(self.part_size_bytes))
    }

    /// All parts in order.
    pub fn numbers(self) -> impl Iterator<Item = PartNumber> {
        (1..=self.count()).map(PartNumber)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plans_of_known_sizes() {
        fn check(size: u64, part: u64, count: u16) {
            let plan = PartPlan::new(size);
            assert_eq!((plan.part_size_bytes(), plan.count()), (part, count));
        }
        check(0, 8 * MIB, 1);
        check(1, 8 * MIB, 1);
        check(8 * MIB, 8 * MIB, 1);
        check(8 * MIB + 1, 8 * MIB, 2);
        check(1024 * MIB, 8 * MIB, 128);
        check(80_000 * MIB, 8 * MIB, 10_000);
        check(80_000 * MIB + 1, 9 * MIB, 8889);
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_file(size in 0_u64..(40 << 40)) {
            let plan = PartPlan::new(size);
            prop_assert!(u64::from(plan.count()) <= MAX_PARTS);
            prop_assert!(plan.part_size_bytes() >= MIN_PART_BYTES && plan.part_size_bytes() <= 5 << 30);
            let sizes: Vec<u64> = plan.numbers().filter_map(|n| plan.size_of(n)).collect();
            prop_assert_eq!(sizes.len(), usize::from(plan.count()));
            prop_assert_eq!(sizes.iter().sum::<u64>(), size);
            prop_assert!(sizes.iter().rev().skip(1).all(|s| *s == plan.part_size_bytes()));
            prop_assert_eq!(plan.size_of(PartNumber(plan.count() + 1)), None);
        }
    }
}
