/* Time that passes. */
#ifndef TTT_BASE_CLOCK_H
#define TTT_BASE_CLOCK_H

/* Seconds since some moment in the past; never goes back. */
double ttt_seconds(void);

#endif
