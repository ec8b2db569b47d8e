//! All state as text, one line a key, sorted: for tests that compare runs. The lines of all
//! shards together, sorted, are the same whatever their number.

use super::Products;

impl Products {
    /// Every byte of state in a canonical order.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let mut lines: Vec<String> = Vec::new();
        for (at, product) in self.products.iter() {
            let listing = product.listing.as_ref();
            let listing = listing.map(|l| (l.listed, l.version, l.updated_at, l.listing()));
            let mut line = format!("product {} {listing:?}", product.id);
            for level in product.stock.levels() {
                line.push_str(&format!(" {level:?}"));
            }
            for (name, chain) in [
                ("waiting", product.chains.waiting),
                ("reserved", product.chains.reserved),
                ("allocated", product.chains.allocated),
            ] {
                let mut next = chain.first();
                while let Some(claim) = next {
                    let entry = self.claims.get(claim);
                    assert_eq!(entry.product, at, "a claim hangs at its product");
                    line.push_str(&format!(" {name} {} {:?}", entry.order, entry.claim()));
                    next = self.claims.behind(claim);
                }
            }
            lines.push(line);
        }
        lines.extend(self.keys.dump());
        for row in self.owned.rows.values() {
            lines.push(format!("warehouse {row:?}"));
        }
        lines.sort_unstable();
        lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect()
    }
}
