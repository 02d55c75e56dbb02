"""Every setting in one typed object, read from ``BTC_*`` environment variables, checked at start."""

from btc_assets.settings.environment import broken_rule as broken_rule
from btc_assets.settings.environment import load as load
from btc_assets.settings.model import PREFIX as PREFIX
from btc_assets.settings.model import Settings as Settings
from btc_assets.settings.values import calendars_of as calendars_of
from btc_assets.settings.values import in_url as in_url
from btc_assets.settings.values import split as split
from btc_assets.settings.values import without_user as without_user
