//! Times as people in the hospital read them: by the clock on the wall of the site, wherever this machine stands and
//! whatever its own zone is. What programs read (JSON, journal, manifests) is in UTC.

use crate::profile::Site;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// The site's time zone. The profile is refused when it names one that does not exist.
#[must_use]
pub fn zone(site: &Site) -> Tz {
    site.timezone.parse().unwrap_or(Tz::UTC)
}

/// Date and time to the second, with the zone's offset: `2026-11-22 09:45:07 +08:00`.
#[must_use]
pub fn full(zone: Tz, at: DateTime<Utc>) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// `09:45`, or `2026-11-21 09:45` when it is not of today.
#[must_use]
pub fn time_of_day(site: &Site, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let zone = zone(site);
    let (at, now) = (at.with_timezone(&zone), now.with_timezone(&zone));
    let format = if at.date_naive() == now.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.format(format).to_string()
}

/// A length of time in the two largest units that matter: `45 s`, `14 min`, `3 h 05 min`, `2 d 04 h`.
#[must_use]
pub fn length(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Where the standby's data ends, in the site's language and for whoever reads English.
#[must_use]
pub fn data_until(site: &Site, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (time, age) = (time_of_day(site, at, now), length(now - at));
    if site.language == "zh-CN" {
        format!("数据截至 {time} (data until {time}, {age} ago)")
    } else {
        format!("data until {time}, {age} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(language: &str) -> Site {
        let (name, code) = ("x".to_owned(), "01".to_owned());
        Site { name, code, timezone: "Asia/Shanghai".to_owned(), language: language.to_owned() }
    }

    #[test]
    fn data_until_is_a_time_of_day_in_the_zone_and_language_of_the_site() {
        let at: DateTime<Utc> = "2026-11-22T01:45:00Z".parse().unwrap();
        let now: DateTime<Utc> = "2026-11-22T01:59:30Z".parse().unwrap();
        assert_eq!(data_until(&site("en"), at, now), "data until 09:45, 14 min ago");
        assert_eq!(data_until(&site("zh-CN"), at, now), "数据截至 09:45 (data until 09:45, 14 min ago)");
        let late: DateTime<Utc> = "2026-11-22T23:00:00Z".parse().unwrap();
        assert_eq!(data_until(&site("en"), at, late), "data until 2026-11-22 09:45, 21 h 15 min ago");
    }

    #[test]
    fn a_full_time_says_its_offset() {
        let at: DateTime<Utc> = "2026-07-01T22:15:30Z".parse().unwrap();
        assert_eq!(full(zone(&site("en")), at), "2026-07-02 06:15:30 +08:00");
        assert_eq!(full(chrono_tz::America::New_York, at), "2026-07-01 18:15:30 -04:00");
    }
}
