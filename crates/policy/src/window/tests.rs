use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> u64 {
    u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn window(period: Period, moment: &str) -> (u64, u64) {
    Window::calendar(period).slice_around(at(moment))
}

fn window_in(name: &str, period: Period, moment: &str) -> (u64, u64) {
    Window::calendar_in(period, zone(name)).slice_around(at(moment))
}

fn from_to(start: &str, end: &str) -> (u64, u64) {
    (at(start), at(end))
}

#[test]
fn windows_begin_on_the_calendar_in_utc() {
    let moment = "2026-11-22T16:33:12.345Z"; // a Sunday
    assert_eq!(window(Period::Second, moment), from_to("2026-11-22T16:33:12Z", "2026-11-22T16:33:13Z"));
    assert_eq!(window(Period::Minute, moment), from_to("2026-11-22T16:33:00Z", "2026-11-22T16:34:00Z"));
    assert_eq!(window(Period::Hour, moment), from_to("2026-11-22T16:00:00Z", "2026-11-22T17:00:00Z"));
    assert_eq!(window(Period::Day, moment), from_to("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"));
    assert_eq!(window(Period::Week, moment), from_to("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"));
    assert_eq!(window(Period::Month, moment), from_to("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"));
    assert_eq!(window(Period::Life, moment), (0, u64::MAX));
}

#[test]
fn a_month_ends_with_its_last_day_in_leap_years_and_in_december() {
    assert_eq!(window(Period::Month, "2028-02-29T23:59:59.999Z").1, at("2028-03-01T00:00:00Z"));
    assert_eq!(window(Period::Month, "2026-12-31T12:00:00Z").1, at("2027-01-01T00:00:00Z"));
}

#[test]
fn a_millisecond_before_an_edge_is_the_old_window_and_the_edge_is_the_new_one() {
    for (period, edge) in [
        (Period::Second, "2026-11-23T00:00:01Z"),
        (Period::Day, "2026-11-23T00:00:00Z"),
        (Period::Week, "2026-11-23T00:00:00Z"),
        (Period::Month, "2026-12-01T00:00:00Z"),
    ] {
        let window = Window::calendar(period);
        assert_eq!(window.slice_around(at(edge) - 1).1, at(edge), "{period}");
        assert_eq!(window.slice_around(at(edge)).0, at(edge), "{period}");
    }
}

#[test]
fn a_day_in_berlin_is_23_hours_in_spring_and_25_in_autumn() {
    let spring = window_in("Europe/Berlin", Period::Day, "2026-03-29T12:00:00Z");
    assert_eq!(spring, from_to("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"));
    let autumn = window_in("Europe/Berlin", Period::Day, "2026-10-25T12:00:00Z");
    assert_eq!(autumn, from_to("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
}

#[test]
fn the_hour_that_comes_twice_is_two_windows() {
    let first = window_in("Europe/Berlin", Period::Hour, "2026-10-25T00:30:00Z");
    assert_eq!(first, from_to("2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"));
    let second = window_in("Europe/Berlin", Period::Hour, "2026-10-25T01:30:00Z");
    assert_eq!(second, from_to("2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"));
}

#[test]
fn a_zone_that_is_half_an_hour_off_has_hours_of_its_own() {
    let kolkata = window_in("Asia/Kolkata", Period::Hour, "2026-11-22T16:33:00Z");
    assert_eq!(kolkata, from_to("2026-11-22T16:30:00Z", "2026-11-22T17:30:00Z"));
}

#[test]
fn where_midnight_is_skipped_the_day_begins_with_the_change() {
    // Cairo sets its clocks forward at midnight: 24 April 2026 begins at one o'clock.
    let day = window_in("Africa/Cairo", Period::Day, "2026-04-24T12:00:00Z");
    assert_eq!(day, from_to("2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"));
}

#[test]
fn a_month_and_a_week_keep_the_zones_midnights_on_both_ends() {
    let month = window_in("America/New_York", Period::Month, "2026-03-20T00:00:00Z");
    assert_eq!(month, from_to("2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"));
    let week = window_in("America/New_York", Period::Week, "2026-11-01T12:00:00Z"); // a Sunday, clocks go back
    assert_eq!(week, from_to("2026-10-26T04:00:00Z", "2026-11-02T05:00:00Z"));
}

#[test]
fn no_moment_breaks_the_calendar() {
    for period in [Period::Second, Period::Hour, Period::Week, Period::Month, Period::Life] {
        for moment in [0, 1, DAY, u64::MAX / 2, u64::MAX - 1] {
            for window in [Window::calendar(period), Window::rolling(period)] {
                let (start, end) = window.slice_around(moment);
                assert!(start <= moment && moment < end, "{period} around {moment}: {start}..{end}");
            }
        }
    }
}

proptest! {
    /// Windows of every zone, in the past with all its oddities too, cover time without a gap and without an overlap.
    #[test]
    fn windows_follow_each_other_without_gap_or_overlap(
        place in 0..1000_usize,
        period in prop::sample::select(vec![Period::Hour, Period::Day, Period::Week, Period::Month]),
        moment in 0..4_102_444_800_000_u64,
    ) {
        let database = TimeZoneDatabase::bundled();
        let names: Vec<_> = database.available().collect();
        let window = Window::calendar_in(period, zone(names[place % names.len()].as_str()));
        let (start, end) = window.slice_around(moment);
        prop_assert!(start <= moment && moment < end, "{start}..{end}");
        prop_assert_eq!(window.slice_around(end - 1), (start, end));
        prop_assert_eq!(window.slice_around(end).0, end);
        prop_assert_eq!(window.slice_around(start), (start, end));
    }
}
