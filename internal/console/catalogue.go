package console

var catalogue = map[string]string{}
