-- Makes an empty database. Parameters: database, encoding, collate, ctype, provider ("c" | "i"), icu_locale (or none).
CREATE DATABASE {{ database | id }} TEMPLATE template0 ENCODING {{ encoding | lit }}
  LC_COLLATE {{ collate | lit }} LC_CTYPE {{ ctype | lit }}
{%- if provider == "i" %} LOCALE_PROVIDER icu ICU_LOCALE {{ icu_locale | lit }}{% endif %}
