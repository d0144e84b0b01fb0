//! INFO's sections about what goes by itself: keys that expire, and keys that are evicted. They are Ebbtide's own.

use super::Lines;
use crate::config::settings::Worded;
use crate::histogram::Distribution;
use crate::shared::Shared;

/// `expiry`: how many keys and fields expired, who removed them, what they gave back, and how late they went.
pub(super) fn expiry(shared: &Shared, lines: &mut Lines<'_>) {
    let gone = shared.stats.gone();
    let all = gone.all();
    lines.put("expired_keys_active", all.expired_timely);
    lines.put("expired_keys_lookup", all.expired_found);
    lines.put("expired_hash_fields", all.expired_fields);
    lines.put("expired_bytes", all.expired_bytes);
    for (name, percent) in [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9)] {
        lines.put(format_args!("expire_lag_usec_{name}"), gone.lag_us.percentile(percent));
    }
    lines.put("expire_lag_usec_max", gone.lag_us.max());
    for (db, losses) in gone.databases.iter().filter(|(_, losses)| losses.expired_bytes > 0) {
        let (active, lookup) = (losses.expired_timely, losses.expired_found);
        let (fields, bytes) = (losses.expired_fields, losses.expired_bytes);
        lines.put(
            format_args!("expired_db{db}"),
            format_args!("active={active},lookup={lookup},fields={fields},bytes={bytes}"),
        );
    }
}

/// `eviction`: what each policy evicted, how long that had not been used, and what it gave back.
pub(super) fn eviction(shared: &Shared, lines: &mut Lines<'_>) {
    let gone = shared.stats.gone();
    let all = gone.all();
    lines.put("evicted_keys", all.evicted);
    lines.put("evicted_bytes", all.evicted_bytes);
    for (policy, evictions) in &gone.evictions {
        let mut text = format!("keys={}", evictions.idle_ms.len());
        percentiles(&mut text, "idle_ms", &evictions.idle_ms);
        if !evictions.frequency.is_empty() {
            percentiles(&mut text, "freq", &evictions.frequency);
        }
        lines.put(format_args!("evicted_by_{}", policy.word()), text);
    }
    for (db, losses) in gone.databases.iter().filter(|(_, losses)| losses.evicted > 0) {
        let (keys, bytes) = (losses.evicted, losses.evicted_bytes);
        lines.put(format_args!("evicted_db{db}"), format_args!("keys={keys},bytes={bytes}"));
    }
}

/// Appends `name`'s percentiles and maximum.
fn percentiles(text: &mut String, name: &str, of: &Distribution) {
    for (which, percent) in [("p10", 10.0), ("p50", 50.0), ("p90", 90.0), ("p99", 99.0)] {
        text.push_str(&format!(",{name}_{which}={}", of.percentile(percent)));
    }
    text.push_str(&format!(",{name}_max={}", of.max()));
}

#[cfg(test)]
mod tests {
    use engine::{Cause, Gone};

    use super::*;
    use crate::config::settings::Policy;

    #[test]
    fn causes_databases_and_policies_have_their_lines() {
        let shared = crate::shared::tests::shared(&[]);
        let gone = |db, cause| Gone { db, bytes: 100, cause };
        let expired = [
            gone(0, Cause::Due { lag_ms: 1, found: false }),
            gone(0, Cause::Due { lag_ms: 1, found: true }),
            gone(2, Cause::Fields { count: 5, lag_ms: 1, found: false }),
        ];
        let evicted = [gone(2, Cause::Evicted { idle_ms: 7, frequency: Some(4) })];
        shared.stats.worker(0).gone(&expired, Policy::NoEviction, 0);
        shared.stats.worker(0).gone(&evicted, Policy::VolatileLfu, 0);
        let text = |section: fn(&Shared, &mut Lines<'_>)| {
            let mut text = String::new();
            section(&shared, &mut Lines(&mut text));
            text
        };
        assert_eq!(
            text(expiry),
            "expired_keys_active:1\r\nexpired_keys_lookup:1\r\nexpired_hash_fields:5\r\nexpired_bytes:300\r\n\
             expire_lag_usec_p50:1000\r\nexpire_lag_usec_p90:1000\r\nexpire_lag_usec_p99:1000\r\n\
             expire_lag_usec_p999:1000\r\nexpire_lag_usec_max:1000\r\n\
             expired_db0:active=1,lookup=1,fields=0,bytes=200\r\n\
             expired_db2:active=0,lookup=0,fields=5,bytes=100\r\n"
        );
        assert_eq!(
            text(eviction),
            "evicted_keys:1\r\nevicted_bytes:100\r\n\
             evicted_by_volatile-lfu:keys=1,idle_ms_p10=7,idle_ms_p50=7,idle_ms_p90=7,idle_ms_p99=7,idle_ms_max=7,\
             freq_p10=4,freq_p50=4,freq_p90=4,freq_p99=4,freq_max=4\r\n\
             evicted_db2:keys=1,bytes=100\r\n"
        );
    }
}
