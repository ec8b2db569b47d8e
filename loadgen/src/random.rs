//! Random numbers that are the same on every machine: all of a schedule follows from its seed.

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, equidistributed, good enough to shape
/// traffic and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Uniform in `0..1`, 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `0..n`, for `n` of at least 1; biased by less than one in 2^32.
    pub(crate) const fn below(&mut self, n: u32) -> u32 {
        (((self.next() >> 32) * n as u64) >> 32) as u32
    }

    /// The wait for the next arrival when one unit of time brings one on average.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Mean 0, deviation 1 (Box and Muller; the second value is not kept).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// 1 and more, geometric, `mean` of at least 1 on average, cut at `max`.
    pub(crate) fn count(&mut self, mean: f64, max: u32) -> u32 {
        let again = 1.0 - 1.0 / mean;
        let mut n = 1;
        while n < max && self.unit() < again {
            n += 1;
        }
        n
    }
}

/// Which of `n` things is wanted: weights are lognormal, drawn once.
#[derive(Debug)]
pub(crate) struct Popularity {
    cumulative: Vec<f64>,
}

impl Popularity {
    /// Weights `exp(sigma * normal)` for `n` things, at least one.
    pub(crate) fn lognormal(n: u32, sigma: f64, random: &mut Random) -> Self {
        let mut sum = 0.0;
        let cumulative = (0..n)
            .map(|_| {
                sum += (sigma * random.normal()).exp();
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// One of them.
    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let all = self.cumulative.last().copied().unwrap_or(0.0);
        let at = random.unit() * all;
        let index = self.cumulative.partition_point(|&upto| upto <= at);
        u32::try_from(index.min(self.cumulative.len().saturating_sub(1))).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64's published first outputs for seed 1234567.
    #[test]
    fn gives_the_published_numbers() {
        let mut random = Random::seeded(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    /// A lognormal's top 1 % hold Phi(1.9 - 2.326) = 33.5 %; 28 to 38 is five deviations of the
    /// share over 100,000 weights this heavy in the tail.
    #[test]
    fn one_product_in_a_hundred_gets_a_third_of_the_lines() {
        for seed in 1..=3 {
            let mut random = Random::seeded(seed);
            let popularity = Popularity::lognormal(100_000, 1.9, &mut random);
            let mut sold = vec![0_u32; 100_000];
            for _ in 0..1_000_000 {
                sold[popularity.draw(&mut random) as usize] += 1;
            }
            sold.sort_unstable_by(|a, b| b.cmp(a));
            let top: u32 = sold[..1000].iter().sum();
            assert!((280_000..=380_000).contains(&top), "seed {seed}: {top} of 1,000,000");
        }
    }
}
