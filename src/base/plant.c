/* Planted bugs: which one this process has. Empty but in test builds.
 *
 * Owner: one word, written before anything else runs.
 */
#include "base.h"

#ifdef BARNABAS_PLANTS
static const char *const names[PLANT_COUNT] = {
    [PLANT_none] = "none",
#define PLANT(name, what) [PLANT_##name] = #name,
#include "base/plants.def"
#undef PLANT
};
static enum plant chosen;

enum plant plant_chosen(void)
{
    return chosen;
}

bool plant_choose(const char *name)
{
    for (int i = 0; i < PLANT_COUNT; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        chosen = (enum plant)i;
        return true;
    }
    return false;
}

const char *plant_name(enum plant p)
{
    ASSERT(p < PLANT_COUNT);
    return names[p];
}
#endif
