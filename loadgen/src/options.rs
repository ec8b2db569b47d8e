//! The flags of `watermart load`, read once.

use crate::Error;
use std::path::PathBuf;

/// What to ask of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Fill a shop: three warehouses, products, receipts.
    Stock,
    /// Steady sales of a measured shape; fills the shop first if its last product is missing.
    Steady,
    /// Sell real baskets from a file.
    Replay,
    /// Later.
    BlackFriday,
    /// Later.
    FlashDrop,
    /// Later.
    Hoarder,
    /// Later.
    Returns,
}

/// What the price column of a basket file is the price of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PriceIs {
    /// The whole line, all its units.
    Line,
    /// One unit.
    Unit,
}

/// The flags. Times in seconds, rates in checkouts a second.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What to run
    #[arg(value_enum)]
    pub profile: Profile,
    /// Where the shop is
    #[arg(long, env = "WATERMART_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Where it is read, if its parts run apart: a `watermart query`. Without it, at --url
    #[arg(long, env = "WATERMART_QUERY_URL")]
    pub query_url: Option<String>,
    /// Checkouts a second, on average (Poisson arrivals)
    #[arg(long, env = "WATERMART_RATE", default_value_t = 1000.0)]
    pub rate: f64,
    /// Length of the run, in seconds: steady runs that long (default 60), replay fits all its baskets in
    #[arg(long, env = "WATERMART_SECONDS")]
    pub seconds: Option<f64>,
    /// Everything random follows from it
    #[arg(long, env = "WATERMART_SEED", default_value_t = 1)]
    pub seed: u64,
    /// Products of the shop, named p0, p1, ..
    #[arg(long, env = "WATERMART_PRODUCTS", default_value_t = 10_000)]
    pub products: u32,
    /// Customers, named c0, c1, ..
    #[arg(long, env = "WATERMART_CUSTOMERS", default_value_t = 100_000)]
    pub customers: u32,
    /// Lines of an order, on average (1 to 50)
    #[arg(long, env = "WATERMART_LINES_MEAN", default_value_t = 2.5)]
    pub lines_mean: f64,
    /// Checkouts in one request, 1 to 1000; 1 sends single POSTs. A batch goes when its last is due
    #[arg(long, env = "WATERMART_BATCH", default_value_t = 1)]
    pub batch: usize,
    /// Share of all lines that are for product p0, 0 to 1
    #[arg(long, env = "WATERMART_HOT", default_value_t = 0.0)]
    pub hot: f64,
    /// Ask with `Prefer: wait`, this many seconds (1 to 30); only with --batch 1
    #[arg(long, env = "WATERMART_WAIT")]
    pub wait: Option<u32>,
    /// Write what was asked and told, a JSON line each
    #[arg(long, env = "WATERMART_LEDGER")]
    pub ledger: Option<PathBuf>,
    /// Write report.json and report.md here
    #[arg(long, env = "WATERMART_REPORT")]
    pub report: Option<PathBuf>,
    /// Exit 1 if the run is invalid, or (steady) fewer than 0.92 of --rate are confirmed a second,
    /// or (replay) any basket is not confirmed: 0.92 since 7 of 100 checkouts are made not to be
    #[arg(long, env = "WATERMART_GATE")]
    pub gate: bool,
    /// The shop's process, if it runs on this machine: its memory and CPU time go into the report
    #[arg(long, env = "WATERMART_SERVER_PID")]
    pub server_pid: Option<u32>,
    /// The flags of `replay`.
    #[command(flatten)]
    pub replay: ReplayOptions,
}

/// The flags of `replay`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayOptions {
    /// Baskets to replay: FILE.csv (with a header) or FILE.parquet
    #[arg(long, env = "WATERMART_BASKETS")]
    pub baskets: Option<PathBuf>,
    /// Columns under other names: basket=basket_id,customer=household_id,price=sales_value,..
    #[arg(long, env = "WATERMART_COLUMNS", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// How many times faster than it was sold, or `max`: as fast as the shop acknowledges
    #[arg(long, env = "WATERMART_SPEED", conflicts_with = "seconds")]
    pub speed: Option<String>,
    /// What the price column is the price of
    #[arg(long, env = "WATERMART_PRICE_IS", value_enum, default_value = "line")]
    pub price_is: PriceIs,
    /// Rows with a quantity outside 1 to this are no unit counts (fuel by volume): left out, counted
    #[arg(long, env = "WATERMART_QUANTITY_MAX", default_value_t = 100)]
    pub quantity_max: u32,
    /// Units received of a product for each unit the baskets ask
    #[arg(long, env = "WATERMART_STOCK_FACTOR", default_value_t = 1.0)]
    pub stock_factor: f64,
}

impl Options {
    /// Refuses what clap cannot see.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let rules = [
            (self.rate > 0.0 && self.rate <= 1e6, "--rate must be above 0, at most 1000000"),
            (self.seconds.is_none_or(|s| s > 0.0 && s <= 1e6), "--seconds must be above 0"),
            (self.products > 0, "--products must be at least 1"),
            (self.customers > 0, "--customers must be at least 1"),
            ((1.0..=50.0).contains(&self.lines_mean), "--lines-mean must be 1 to 50"),
            ((1..=1000).contains(&self.batch), "--batch must be 1 to 1000"),
            ((0.0..=1.0).contains(&self.hot), "--hot must be 0 to 1"),
            (self.wait.is_none_or(|n| (1..=30).contains(&n)), "--wait must be 1 to 30"),
            (self.wait.is_none() || self.batch == 1, "--wait needs --batch 1"),
            (
                self.profile != Profile::Replay || self.replay.baskets.is_some(),
                "replay needs --baskets FILE",
            ),
            (
                (0.0..=1e6).contains(&self.replay.stock_factor),
                "--stock-factor must be 0 to 1000000",
            ),
            (
                (1..=1_000_000).contains(&self.replay.quantity_max),
                "--quantity-max must be 1 to 1000000",
            ),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            None => Ok(()),
            Some((_, broken)) => Err(Error::Usage((*broken).to_owned())),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Load {
        #[command(flatten)]
        options: Options,
    }

    /// The options of `watermart load` with these flags.
    pub(crate) fn options(flags: &[&str]) -> Options {
        Load::parse_from(std::iter::once("load").chain(flags.iter().copied())).options
    }

    #[test]
    fn flags_that_do_not_go_together_are_named() {
        for (flags, said) in [
            (&["steady", "--rate", "0"][..], "--rate must be above 0, at most 1000000"),
            (&["steady", "--batch", "1001"], "--batch must be 1 to 1000"),
            (&["steady", "--batch", "2", "--wait", "5"], "--wait needs --batch 1"),
            (&["steady", "--hot", "1.5"], "--hot must be 0 to 1"),
            (&["replay"], "replay needs --baskets FILE"),
        ] {
            let error = options(flags).check().unwrap_err();
            assert_eq!((error.to_string().as_str(), error.exit_code()), (said, 2));
        }
        options(&["steady"]).check().unwrap();
    }
}
