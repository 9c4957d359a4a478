"""The API versions the org speaks."""

OLDEST, NEWEST = 31, 67
_SPRING_24 = 60
_SEASONS = ("Spring", "Summer", "Winter")


def label(version: str) -> str:
    """Return the release a version came with, such as Spring '24; empty for one to come."""
    number = int(float(version))
    if number > NEWEST:
        return ""
    year, season = divmod(number - _SPRING_24, len(_SEASONS))
    # Three releases a year; Winter bears the coming year's number.
    return f"{_SEASONS[season]} '{24 + year + (season == len(_SEASONS) - 1):02}"


def versions() -> list[dict[str, str]]:
    """Return the list ``/services/data/`` answers with."""
    return [
        {
            "label": label(f"{number}.0"),
            "url": f"/services/data/v{number}.0",
            "version": f"{number}.0",
        }
        for number in range(OLDEST, NEWEST + 1)
    ]
