/* Names: a generator and a grammar. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/str.h"
#include "engine/container.h"

static const char *const adjectives[] = {
    "amber",  "autumn",  "barrel", "bitter",  "blond",   "bold",   "bright",   "brisk",  "bronze", "bubbly",
    "calm",   "candid",  "cellar", "clear",   "cloudy",  "copper", "cosy",     "crisp",  "dapper", "deep",
    "dizzy",  "dry",     "eager",  "early",   "earthy",  "fair",   "festive",  "fine",   "floral", "foamy",
    "fresh",  "fruity",  "gentle", "giddy",   "golden",  "grand",  "happy",    "hazy",   "hearty", "hoppy",
    "humble", "jolly",   "keen",   "kind",    "late",    "light",  "lively",   "lucid",  "lucky",  "malty",
    "mellow", "merry",   "mighty", "misty",   "modest",  "neat",   "nimble",   "noble",  "nutty",  "oaken",
    "old",    "opal",    "pale",   "patient", "peppery", "plain",  "playful",  "proud",  "quaint", "quick",
    "quiet",  "radiant", "red",    "rested",  "rich",    "ripe",   "robust",   "ruby",   "rustic", "savoury",
    "serene", "sharp",   "shiny",  "silky",   "silver",  "sleepy", "smoky",    "smooth", "snug",   "solid",
    "sour",   "sparkly", "spiced", "spring",  "stout",   "strong", "sturdy",   "summer", "sunny",  "sweet",
    "swift",  "tall",    "tart",   "tawny",   "thirsty", "toasty", "tranquil", "upbeat", "velvet", "vivid",
    "warm",   "wild",    "winter", "wise",    "witty",   "zesty",
};
static const char *const nouns[] = {
    "ale",     "altbier",  "barley", "beaker",  "bier",    "bock",    "bottle",  "brewer",    "bung",
    "cask",    "cellarer", "cider",  "citra",   "cooper",  "coaster", "cork",    "crate",     "dopple",
    "dram",    "draught",  "dubbel", "dunkel",  "ferment", "firkin",  "flagon",  "flask",     "foam",
    "fuggle",  "gallon",   "glass",  "goblet",  "gose",    "grain",   "growler", "gruit",     "gueuze",
    "helles",  "hogshead", "hop",    "jug",     "keg",     "kellner", "kettle",  "kilderkin", "koelsch",
    "kriek",   "kvass",    "lager",  "lambic",  "lauter",  "maerzen", "malt",    "malthouse", "mash",
    "mead",    "mug",      "oast",   "oat",     "pail",    "pilsner", "pint",    "pitcher",   "porter",
    "pub",     "publican", "quart",  "quad",    "rauch",   "rye",     "saaz",    "saison",    "schooner",
    "snifter", "spigot",   "spruce", "stein",   "still",   "tankard", "tap",     "taproom",   "tapster",
    "tavern",  "trappist", "tripel", "tub",     "tulip",   "tun",     "vat",     "wheat",     "whisk",
    "witbier", "wort",     "yeast",  "zwickel",
};

char *container_random_name(unsigned attempt)
{
    uint32_t r[3] = {0};
    if (getrandom(r, sizeof(r), 0) < 0)
        abort();
    const char *a = adjectives[r[0] % ARRAY_SIZE(adjectives)], *n = nouns[r[1] % ARRAY_SIZE(nouns)];
    return attempt ? xasprintf("%s_%s%u", a, n, r[2] % (attempt > 3 ? 100000 : 10))
                   : xasprintf("%s_%s", a, n);
}

int container_check_name(const char *name, const char **ret, struct err *err)
{
    const char *bare = *name == '/' ? name + 1 : name;
    size_t len = strlen(bare);
    bool good = len >= 2 && len <= CONTAINER_NAME_MAX && isalnum((unsigned char)bare[0]);
    for (const char *p = bare; good && *p; p++)
        good = isalnum((unsigned char)*p) || strchr("_.-", *p);
    if (!good)
        return err_set(err, ERR_INVALID,
                       "Invalid container name (%.300s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", bare);
    *ret = bare;
    return 0;
}
