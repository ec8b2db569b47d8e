//! The currencies that a shop may use: ISO 4217 as of 2026, with its code for tests (`XTS`) and
//! without metals, bonds and no currency at all. Only what comes in is held to it: what stands on
//! the log was a currency once.

use schemas::money::Currency;

/// Each code, in order, four bytes apart.
const CODES: &[u8] = b"\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD \
    BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD \
    EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD \
    IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL \
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN \
    PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN \
    SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES \
    VND VUV WST XAF XCD XCG XDR XOF XPF XSU XTS XUA YER ZAR ZMW ZWG";

/// A code of the list; else `None`.
pub(crate) fn known(code: &str) -> Option<Currency> {
    let (codes, last) = CODES.as_chunks::<4>();
    let wanted = code.as_bytes();
    let is_known = codes.binary_search_by(|code| code[..3].cmp(wanted)).is_ok() || last == wanted;
    if is_known { Currency::parse(code) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_each_of_it_is_found() {
        let codes: Vec<_> = std::str::from_utf8(CODES).expect("ASCII").split(' ').collect();
        assert!(codes.is_sorted() && codes.len() == 170);
        for code in codes {
            assert_eq!(known(code).expect(code).as_str(), code);
        }
        for code in ["", "US", "USDX", "usd", "XAU", "AAA", "ZZZ", "D A"] {
            assert_eq!(known(code), None, "{code}");
        }
    }
}
