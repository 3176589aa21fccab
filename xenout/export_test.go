package xenout

// For the tests of each part of ParseCall.
var (
	ToolstackOf = toolstackOf
	DomidOf     = domidOf
)

// Arguments are Call.Words of other toolstacks than XAPI.
func Arguments(words []string, takesValue func(string) bool) []string {
	options, positionals := scan(words, takesValue)
	return join(firstOnly(options), positionals, takesValue)
}

// XAPIArguments are Call.Words of XAPI.
func XAPIArguments(words []string, takesValue func(string) bool) ([]string, error) {
	options, positionals, err := scanXAPI(words, takesValue)
	return join(firstOnly(options), positionals, takesValue), err
}

// Positionals is a Call of words that are no options.
func Positionals(words []string) (c Call, err error) {
	err = c.positionals(words)
	return c, err
}

func (t Toolstack) DefaultFormat() Format                { return t.defaultFormat() }
func (t Toolstack) TakesFilesFrom(directory string) bool { return t.takesFilesFrom(directory) }
