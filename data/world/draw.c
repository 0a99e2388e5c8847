/* Random numbers and colours for drawing scenes. */
#include "data/world/draw.h"

float world_between(ttt_random *random, float low, float high)
{
    return low + (high - low) * ttt_random_uniform_f32(random);
}

float world_radians(float degrees)
{
    return degrees * 0.017453293f;
}

/* One channel of a colour: the trapezoid of the HSV model; `shift` is 5, 3 or 1 sixths of the circle. */
static float channel(float hue, float saturation, float value, float shift)
{
    float k = fmodf(shift + 6 * hue, 6);
    return value * (1 - saturation * clamp01(smaller(k, 4 - k)));
}

struct vec3 world_colour(float hue, float saturation, float value)
{
    hue -= floorf(hue);
    return vec3(powf(channel(hue, saturation, value, 5), 2.2f),
                powf(channel(hue, saturation, value, 3), 2.2f),
                powf(channel(hue, saturation, value, 1), 2.2f));
}

struct vec3 world_anywhere(ttt_random *random)
{
    float x = world_between(random, 0, 64), y = world_between(random, 0, 64);
    return vec3(x, y, world_between(random, 0, 64));
}
