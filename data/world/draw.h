/* Random numbers and colours for drawing scenes. */
#ifndef DATA_WORLD_DRAW_H
#define DATA_WORLD_DRAW_H

#include "data/world/vector.h"
#include "ttt/base/random.h"

/* Uniform in low .. high. */
float world_between(ttt_random *random, float low, float high);

float world_radians(float degrees);

/* Linear RGB of a hue (in turns), saturation and value given as they look, in sRGB. */
struct vec3 world_colour(float hue, float saturation, float value);

/* A place in an endless texture. */
struct vec3 world_anywhere(ttt_random *random);

#endif
