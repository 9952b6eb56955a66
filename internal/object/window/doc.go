// Package window decides how many calls a store gets at a time, and how many in a second. A Gate keeps calls within bounds
// that somebody set; a Window finds the bounds itself, from how the calls end (docs/adr/0005-adaptive-window.md). Both let
// calls through in the order in which they came, and both cost a few atomic operations while nothing bounds.
//
// What a call is, and when it counts as throttled, is the driver's to say; this package knows of no protocol.
package window
