//! One product's listing: put, changed, taken down.
//!
//! The version counts its changes from 1 and never goes back (I13). Taken down, a listing keeps
//! its text and version, and can be put again. Between changes only price, currency and limit are
//! read, so the texts lie packed in one piece of memory.

use schemas::events::orders::Reason;
use schemas::events::product_actions::Listing;
use schemas::id::SellerId;
use schemas::money::Currency;
use schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A listing that was put at least once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Catalogued {
    /// Of one unit, in minor units.
    pub price: i64,
    /// Of the price.
    pub currency: Currency,
    /// Whether it is up.
    pub listed: bool,
    /// The most units one order may have; `u32::MAX` is no limit.
    pub order_quantity_max: u32,
    /// Changes so far, from 1.
    pub version: u64,
    /// `now` of the last change.
    pub updated_at: Timestamp,
    texts: Box<str>,
}

/// What is asked of a listing.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// Put it, new or changed.
    Put,
    /// Take it down.
    Delist,
}

/// The version that the change will make; or why it comes to nothing.
pub fn decide(
    state: Option<&Catalogued>,
    command: Command,
    if_match: Option<u64>,
) -> Result<u64, Reason> {
    let version = state.map_or(0, |listing| listing.version);
    match command {
        Command::Put => {}
        Command::Delist if state.is_some_and(|listing| listing.listed) => {}
        Command::Delist => return Err(Reason::NotFound),
    }
    if if_match.is_some_and(|expected| expected != version) {
        return Err(Reason::PreconditionFailed);
    }
    Ok(version + 1)
}

/// Applies a put that was decided.
pub fn evolve_put(state: &mut Option<Catalogued>, version: u64, listing: &Listing, now: Timestamp) {
    *state = Some(Catalogued {
        price: listing.price,
        currency: listing.currency,
        listed: true,
        order_quantity_max: listing.order_quantity_max.unwrap_or(u32::MAX),
        version,
        updated_at: now,
        texts: pack(listing),
    });
}

/// Applies a taking down that was decided.
pub fn evolve_delist(state: &mut Option<Catalogued>, version: u64, now: Timestamp) {
    if let Some(listing) = state {
        listing.listed = false;
        listing.version = version;
        listing.updated_at = now;
    }
}

/// Whether `quantity` units may be bought at this price; `price` none is not asked.
#[inline]
pub fn buyable(
    state: Option<&Catalogued>,
    quantity: u32,
    price: Option<i64>,
    currency: Currency,
) -> Result<(), Reason> {
    let listing = state.ok_or(Reason::UnknownProduct)?;
    if !listing.listed {
        return Err(Reason::Delisted);
    }
    if currency != listing.currency || price.is_some_and(|seen| seen != listing.price) {
        return Err(Reason::PriceChanged);
    }
    if quantity > listing.order_quantity_max {
        return Err(Reason::LimitExceeded);
    }
    Ok(())
}

/// What a cart is told: the price of one unit, or why it cannot be bought.
pub fn price(state: Option<&Catalogued>, quantity: u32) -> Result<(i64, Currency), Reason> {
    let listing = state.ok_or(Reason::UnknownProduct)?;
    buyable(state, quantity, None, listing.currency)?;
    Ok((listing.price, listing.currency))
}

impl Catalogued {
    /// The whole listing as it was put.
    #[must_use]
    pub fn listing(&self) -> Listing {
        let mut texts = Texts(&self.texts);
        let seller_id = SellerId::parse(texts.next()).unwrap_or_default();
        let [name, description, category, brand] = [(); 4].map(|()| texts.next().to_owned());
        let attributes: BTreeMap<_, _> = (0..texts.count())
            .map(|_| (texts.next().to_owned(), texts.next().to_owned()))
            .collect();
        let image_urls = (0..texts.count()).map(|_| texts.next().to_owned()).collect();
        Listing {
            seller_id,
            name,
            description,
            category,
            brand,
            price: self.price,
            currency: self.currency,
            attributes,
            image_urls,
            order_quantity_max: Some(self.order_quantity_max).filter(|max| *max != u32::MAX),
        }
    }
}

/// Texts behind each other, each with its length in digits and a colon in front.
fn pack(listing: &Listing) -> Box<str> {
    let mut packed = String::new();
    let mut push = |text: &str| {
        packed.push_str(&text.len().to_string());
        packed.push(':');
        packed.push_str(text);
    };
    push(&listing.seller_id.to_string());
    for text in [&listing.name, &listing.description, &listing.category, &listing.brand] {
        push(text);
    }
    push(&listing.attributes.len().to_string());
    for (name, value) in &listing.attributes {
        push(name);
        push(value);
    }
    push(&listing.image_urls.len().to_string());
    for url in &listing.image_urls {
        push(url);
    }
    packed.into_boxed_str()
}

struct Texts<'a>(&'a str);

impl<'a> Texts<'a> {
    fn next(&mut self) -> &'a str {
        let (length, rest) = self.0.split_once(':').unwrap_or(("0", ""));
        let (text, rest) = rest.split_at(length.parse().unwrap_or(0));
        self.0 = rest;
        text
    }

    fn count(&mut self) -> usize {
        self.next().parse().unwrap_or(0)
    }
}
