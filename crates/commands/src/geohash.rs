//! Geohashes as Redis keeps them in the scores of sorted sets: 26 bits of latitude and 26 of longitude, interleaved.
//!
//! Latitudes end at the square of the Web Mercator projection (EPSG:3857), some 85 degrees.

/// Bits of each coordinate in a whole geohash.
pub(crate) const STEP_MAX: u32 = 26;
/// Largest longitude, in degrees.
const LONGITUDE_MAX: f64 = 180.0;
/// Largest latitude, in degrees.
const LATITUDE_MAX: f64 = 85.051_128_78;
/// Bits of longitudes.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
/// Bits of latitudes.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) longitude: f64,
    pub(crate) latitude: f64,
}

impl Point {
    /// Whether a geohash can tell it.
    pub(crate) fn is_valid(self) -> bool {
        (-LONGITUDE_MAX..=LONGITUDE_MAX).contains(&self.longitude)
            && (-LATITUDE_MAX..=LATITUDE_MAX).contains(&self.latitude)
    }

    /// The middle of the cell whose whole geohash is `score`, whatever number that is.
    pub(crate) fn of_score(score: f64) -> Point {
        let cell = Geohash { bits: bits_of_score(score), step: STEP_MAX }.cell(LATITUDE_MAX);
        Point {
            longitude: f64::midpoint(cell.west, cell.east).clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: f64::midpoint(cell.south, cell.north).clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// The score that a sorted set keeps for it.
    pub(crate) fn score(self) -> f64 {
        Geohash::of(self, STEP_MAX).bits as f64
    }

    /// The eleven letters that geohash.org has for the cell `of_score` is the middle of. The last is always `0`: 52
    /// bits are two of it, which are not given.
    pub(crate) fn letters(self) -> [u8; 11] {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Geohash::within(self, 90.0, STEP_MAX).bits;
        std::array::from_fn(|i| match i {
            10 => b'0',
            i => LETTERS[(bits >> (52 - 5 * (i + 1)) & 31) as usize],
        })
    }
}

/// What Redis makes of `score` as an unsigned integer, on x86-64: a negative one wraps around, one past the end is 0.
fn bits_of_score(score: f64) -> u64 {
    const END: f64 = 18_446_744_073_709_551_616.0;
    match score {
        ..0.0 => score as i64 as u64,
        END.. => 0,
        _ => score as u64,
    }
}

/// A cell of the world: of 2^`step` times 2^`step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geohash {
    bits: u64,
    step: u32,
}

/// The bounds of a cell, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) west: f64,
    pub(crate) east: f64,
    pub(crate) south: f64,
    pub(crate) north: f64,
}

impl Geohash {
    /// The cell that `point` is in.
    pub(crate) fn of(point: Point, step: u32) -> Geohash {
        Geohash::within(point, LATITUDE_MAX, step)
    }

    fn within(point: Point, latitude_max: f64, step: u32) -> Geohash {
        let cells = (1u64 << step) as f64;
        let place = |degrees: f64, max: f64| ((degrees + max) / (max + max) * cells) as u64 as u32;
        let latitude = spread(place(point.latitude, latitude_max));
        let longitude = spread(place(point.longitude, LONGITUDE_MAX));
        Geohash { bits: latitude | longitude << 1, step }
    }

    /// Its bounds, when latitudes go up to `latitude_max`.
    fn cell(self, latitude_max: f64) -> Cell {
        let cells = (1u64 << self.step) as f64;
        let edge = |place: f64, max: f64| -max + (place / cells) * (max + max);
        let latitude = f64::from(gathered(self.bits));
        let longitude = f64::from(gathered(self.bits >> 1));
        Cell {
            west: edge(longitude, LONGITUDE_MAX),
            east: edge(longitude + 1.0, LONGITUDE_MAX),
            south: edge(latitude, latitude_max),
            north: edge(latitude + 1.0, latitude_max),
        }
    }

    /// Its bounds.
    pub(crate) fn bounds(self) -> Cell {
        self.cell(LATITUDE_MAX)
    }

    /// The cell that is `east` cells to the east and `north` to the north of it (-1, 0 or 1), around the world.
    pub(crate) fn neighbor(self, east: i32, north: i32) -> Geohash {
        let [odd, even] = [ODD, EVEN].map(|mask| mask >> (64 - 2 * self.step));
        let longitude = moved(self.bits & ODD, odd, even, east);
        let latitude = moved(self.bits & EVEN, even, odd, north);
        Geohash { bits: longitude | latitude, step: self.step }
    }

    /// The scores of the places in it: from the first on, and below the second.
    pub(crate) fn scores(self) -> (f64, f64) {
        let shift = 52 - 2 * self.step;
        ((self.bits << shift) as f64, (self.bits.wrapping_add(1) << shift) as f64)
    }
}

/// `bits`, which are of `own` and leave out those of `between`, counted up or down by one. Where they stay as they are
/// they may be past the end: the largest longitude and latitude have one cell more, which Redis looks in too.
fn moved(bits: u64, own: u64, between: u64, by: i32) -> u64 {
    match by {
        0 => bits,
        1.. => bits.wrapping_add(between.wrapping_add(1)) & own,
        _ => (bits | between).wrapping_sub(between.wrapping_add(1)) & own,
    }
}

/// The bits of `n`, each before a 0.
fn spread(n: u32) -> u64 {
    let mut n = u64::from(n);
    n = (n | n << 16) & 0x0000_ffff_0000_ffff;
    n = (n | n << 8) & 0x00ff_00ff_00ff_00ff;
    n = (n | n << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    n = (n | n << 2) & 0x3333_3333_3333_3333;
    (n | n << 1) & EVEN
}

/// Every other bit of `n`, from the lowest on.
fn gathered(n: u64) -> u32 {
    let mut n = n & EVEN;
    n = (n | n >> 1) & 0x3333_3333_3333_3333;
    n = (n | n >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    n = (n | n >> 4) & 0x00ff_00ff_00ff_00ff;
    n = (n | n >> 8) & 0x0000_ffff_0000_ffff;
    (n | n >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Point = Point { longitude: 13.361389, latitude: 38.115556 };

    #[test]
    fn a_place_has_the_score_and_the_letters_that_redis_gives_it() {
        assert_eq!(PALERMO.score(), 3_479_099_956_230_698.0);
        let kept = Point::of_score(PALERMO.score());
        assert_eq!(kept, Point { longitude: 13.361389338970184, latitude: 38.1155563954963 });
        assert_eq!(&kept.letters(), b"sqc8b49rny0");
        assert_eq!(Point { longitude: -180.0, latitude: -LATITUDE_MAX }.score(), 0.0);
    }

    #[test]
    fn neighbors_go_around_the_world_and_come_back() {
        for step in [1, 2, 13, STEP_MAX] {
            let cell = Geohash::of(PALERMO, step);
            for (east, north) in [(1, 0), (0, 1), (1, 1), (1, -1)] {
                assert_eq!(cell.neighbor(east, north).neighbor(-east, -north), cell);
            }
        }
        let cell = Geohash::of(PALERMO, 1);
        assert_eq!(cell.neighbor(1, 0), cell.neighbor(-1, 0));
        let (here, east) =
            (Geohash::of(PALERMO, 10).bounds(), Geohash::of(PALERMO, 10).neighbor(1, 0).bounds());
        assert_eq!((here.east, here.south, here.north), (east.west, east.south, east.north));
    }

    #[test]
    fn scores_that_are_no_geohashes_are_places_too() {
        assert_eq!([-1.0, f64::NEG_INFINITY].map(bits_of_score), [u64::MAX, 1 << 63]);
        assert_eq!([0.5, 2e19, f64::INFINITY].map(bits_of_score), [0, 0, 0]);
    }

    #[test]
    fn bits_are_spread_and_gathered() {
        for n in [0, 1, 0xffff_ffff, 0x1234_5678] {
            assert_eq!(gathered(spread(n)), n);
        }
        assert_eq!(spread(0b1011), 0b1000101);
    }
}
