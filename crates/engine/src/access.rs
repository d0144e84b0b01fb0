//! Access metadata: 26 bits an entry, from which eviction learns what is used least.
//!
//! With an LRU policy they hold the time of the last access in quarters of a second, so that a cache whose content
//! changes within seconds tells old from new, and one whose content lasts for months does too. With an LFU policy they
//! hold the minute of the last access (16 bits) and a logarithmic counter of accesses (8 bits), as Redis has them:
//! <https://redis.io/docs/latest/develop/reference/eviction/>.

use crate::rng::Rng;
use crate::turn::Turn;

/// Bits of the metadata.
pub(crate) const ACCESS_BITS: u32 = 26;
const CLOCK_MASK: u32 = (1 << ACCESS_BITS) - 1;
/// Milliseconds that the clock of LRU policies counts in.
const TICK_MS: i64 = 250;
/// What the counter of a new key starts with, so that it is not the first to go.
const COUNTER_NEW: u8 = 5;

/// Which accesses are remembered: the moment, or how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// The moment of the last.
    Lru,
    /// How many, on a logarithmic scale.
    Lfu {
        /// How slowly the counter grows (`lfu-log-factor`).
        log_factor: u32,
        /// Minutes without an access after which the counter loses one; 0: never (`lfu-decay-time`).
        decay_minutes: u32,
    },
}

/// How a key was used, as files and RESTORE tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// Seconds since it was last used.
    IdleS(u64),
    /// How often it is used, on the scale of OBJECT FREQ.
    Frequency(u8),
}

impl Access {
    /// What the metadata of an entry ([`crate::Head::access`]) say, `policy` being in force.
    pub fn of(access: u32, policy: AccessPolicy, now_ms: i64) -> Access {
        match policy {
            AccessPolicy::Lru => Access::IdleS(access_idle_ms(access, now_ms) / 1000),
            AccessPolicy::Lfu { .. } => Access::Frequency(access_frequency(access, policy, now_ms)),
        }
    }

    /// Metadata that say this; what `policy` does not ask for is as with a key made now.
    pub(crate) fn metadata(self, policy: AccessPolicy, now_ms: i64) -> u32 {
        match (self, policy) {
            (Access::IdleS(idle_s), AccessPolicy::Lru) => access_of_idle(idle_s.saturating_mul(1000), now_ms),
            (Access::Frequency(frequency), AccessPolicy::Lfu { .. }) => {
                access_of_frequency(frequency, now_ms)
            }
            _ => fresh(policy, now_ms),
        }
    }
}

/// The metadata of an entry made now.
#[inline]
pub(crate) fn fresh(policy: AccessPolicy, now_ms: i64) -> u32 {
    match policy {
        AccessPolicy::Lru => ticks(now_ms),
        AccessPolicy::Lfu { .. } => minutes(now_ms) << 8 | u32::from(COUNTER_NEW),
    }
}

/// The metadata after one more access.
#[inline]
pub(crate) fn touched(access: u32, policy: AccessPolicy, now_ms: i64, rng: &mut Rng) -> u32 {
    match policy {
        AccessPolicy::Lru => ticks(now_ms),
        AccessPolicy::Lfu { log_factor, .. } => {
            let counter = access_frequency(access, policy, now_ms);
            let chance = u64::from(counter.saturating_sub(COUNTER_NEW)) * u64::from(log_factor) + 1;
            let grows = counter < u8::MAX && rng.below(chance) == 0;
            minutes(now_ms) << 8 | u32::from(counter + u8::from(grows))
        }
    }
}

/// The metadata of a key whose value is written over: as after one more access. With an LFU policy a client whose
/// look-ups are no accesses leaves them as they were.
#[inline]
pub(crate) fn overwritten(access: u32, turn: &mut Turn) -> u32 {
    match turn.access {
        AccessPolicy::Lfu { .. } if turn.no_touch => access,
        policy => touched(access, policy, turn.now_ms, &mut turn.rng),
    }
}

/// Milliseconds since the last access that the metadata `access` tells of, when the policy is LRU.
pub fn access_idle_ms(access: u32, now_ms: i64) -> u64 {
    u64::from(ticks(now_ms).wrapping_sub(access) & CLOCK_MASK) * TICK_MS as u64
}

/// Minutes since the last access that the metadata `access` tells of, when the policy is LFU.
pub(crate) fn access_idle_minutes(access: u32, now_ms: i64) -> u32 {
    minutes(now_ms).wrapping_sub(access >> 8) & 0xffff
}

/// The metadata of an entry that was last used `idle_ms` ago (LRU); what they cannot hold becomes the most they can.
pub fn access_of_idle(idle_ms: u64, now_ms: i64) -> u32 {
    let idle = (idle_ms / TICK_MS as u64).min(u64::from(CLOCK_MASK)) as u32;
    ticks(now_ms).wrapping_sub(idle) & CLOCK_MASK
}

/// The metadata of an entry whose counter is `frequency` now (LFU).
pub fn access_of_frequency(frequency: u8, now_ms: i64) -> u32 {
    minutes(now_ms) << 8 | u32::from(frequency)
}

/// The counter in the metadata `access`, less what time took from it, when the policy is LFU.
pub fn access_frequency(access: u32, policy: AccessPolicy, now_ms: i64) -> u8 {
    let counter = (access & 0xff) as u8;
    let AccessPolicy::Lfu { decay_minutes, .. } = policy else { return counter };
    let lost = access_idle_minutes(access, now_ms).checked_div(decay_minutes).unwrap_or(0);
    counter.saturating_sub(u8::try_from(lost).unwrap_or(u8::MAX))
}

fn ticks(now_ms: i64) -> u32 {
    (now_ms / TICK_MS) as u32 & CLOCK_MASK
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & 0xffff
}

#[cfg(test)]
mod tests {
    use super::{
        Access, AccessPolicy, access_frequency, access_idle_ms, access_of_frequency, access_of_idle, fresh,
        touched,
    };
    use crate::rng::Rng;

    const NOW_MS: i64 = 1_800_000_000_000;

    #[test]
    fn idle_time_counts_in_quarters_of_a_second_and_survives_the_clock_going_round() {
        let access = fresh(AccessPolicy::Lru, NOW_MS);
        assert_eq!(access_idle_ms(access, NOW_MS + 12_345), 12_250);
        assert_eq!(access_of_idle(12_345, NOW_MS + 12_345), access);
        let most_ms = u64::from(super::CLOCK_MASK) * super::TICK_MS as u64;
        assert!(most_ms > 190 * 24 * 3_600_000, "half a year");
        assert_eq!(access_idle_ms(access_of_idle(u64::MAX, NOW_MS), NOW_MS), most_ms);
        let last_tick = ((1i64 << super::ACCESS_BITS) * 107 - 1) * super::TICK_MS;
        assert_eq!(access_idle_ms(fresh(AccessPolicy::Lru, last_tick), last_tick + 2000), 2000);
    }

    #[test]
    fn frequency_grows_with_accesses_and_decays_with_time() {
        let policy = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 };
        let mut rng = Rng::new(1);
        let mut access = fresh(policy, NOW_MS);
        for _ in 0..1000 {
            access = touched(access, policy, NOW_MS, &mut rng);
        }
        let counter = access_frequency(access, policy, NOW_MS);
        assert!((12..=30).contains(&counter), "about 18 after a thousand accesses, not {counter}");
        assert_eq!(access_frequency(access, policy, NOW_MS + 3 * 60_000), counter - 3);
        assert_eq!(access_frequency(access, policy, NOW_MS + 1000 * 60_000), 0);
        assert_eq!(
            access_frequency(access_of_frequency(counter, NOW_MS), policy, NOW_MS + 60_000),
            counter - 1
        );
        let never = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 0 };
        assert_eq!(access_frequency(access, never, NOW_MS + 1000 * 60_000), counter);
    }

    #[test]
    fn what_a_file_says_of_a_key_is_kept_as_far_as_the_policy_asks_for_it() {
        let lfu = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 };
        let kept = |said: Access, policy| Access::of(said.metadata(policy, NOW_MS), policy, NOW_MS);
        assert_eq!(kept(Access::IdleS(1000), AccessPolicy::Lru), Access::IdleS(1000));
        assert_eq!(kept(Access::Frequency(77), lfu), Access::Frequency(77));
        assert_eq!(kept(Access::Unsaid, lfu), Access::Frequency(5));
        assert_eq!(kept(Access::IdleS(1000), lfu), Access::Frequency(5));
        assert_eq!(kept(Access::Frequency(77), AccessPolicy::Lru), Access::IdleS(0));
    }
}
