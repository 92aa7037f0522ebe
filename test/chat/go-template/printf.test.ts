import { describeTable, fault } from './table.js'

describeTable('printf', [
  [
    'verbs of texts',
    '{{ printf "%s|%v|%q|%x|%X|% x|%#x" .name .name .name .name .name .name .name }}',
    'Ada|Ada|"Ada"|416461|416461|41 64 61|0x416461',
  ],
  [
    'width and precision',
    '{{ printf "%5s|%-5s|%.2s|%5.1s|%05s" .name .name .name .name .name }}',
    '  Ada|Ada  |Ad|    A|00Ada',
  ],
  [
    'verbs of integers',
    '{{ printf "%d|%b|%o|%x|%X|%c|%q|%U|%O" 65 65 65 255 255 65 65 65 65 }}',
    "65|1000001|101|ff|FF|A|'A'|U+0041|0o101",
  ],
  [
    'flags of integers',
    '{{ printf "%+d|% d|%05d|%-5d|%#x|%#o|%#b|%x" 5 5 5 5 255 8 5 -1 }}',
    '+5| 5|00005|5    |0xff|010|0b101|-1',
  ],
  [
    'precision of integers',
    '{{ printf "%.3d|%8.3d|%-8.3d|%08.3d|%.0d" 5 5 5 5 0 }}',
    '005|     005|005     |     005|',
  ],
  [
    'verbs of floats',
    '{{ printf "%v|%f|%.2f|%e|%g|%G|%8.3f|%F" .f .f .f .f .f .f .f .f }}',
    '2.5|2.500000|2.50|2.500000e+00|2.5|2.5|   2.500|2.500000',
  ],
  [
    'flags of floats',
    '{{ printf "%+.1f|% .1f|%08.2f|%-8.2f|%+08.2f|%#g|%#.3g" .f .f .f .f .f .f .f }}',
    '+2.5| 2.5|00002.50|2.50    |+0002.50|2.50000|2.50',
  ],
  [
    'rounding',
    '{{ printf "%.0f %.0f %.0f %.1f %.2f %.3g" 0.5 1.5 2.5 0.25 1.005 123456.0 }}',
    '0 2 2 0.2 1.00 1.23e+05',
  ],
  [
    'large and small floats',
    '{{ printf "%v %v %g %f %.3e" 1e21 1e-7 1e100 1e20 123456.789 }}',
    '1e+21 1e-07 1e+100 100000000000000000000.000000 1.235e+05',
  ],
  [
    'hexadecimal floats',
    '{{ printf "%x %X %.2x %b" 1.5 1.5 1.5 1.5 }}',
    '0x1.8p+00 0X1.8P+00 0x1.80p+00 6755399441055744p-52',
  ],
  ['booleans', '{{ printf "%t %v %5t %q" true false true true }}', 'true false  true %!q(bool=true)'],
  [
    'lists',
    '{{ printf "%v %s %q %d" .list .list .list .list }}',
    '[a b c] [a b c] ["a" "b" "c"] [%!d(string=a) %!d(string=b) %!d(string=c)]',
  ],
  [
    'maps',
    '{{ printf "%v %s" .map .map }}',
    'map[a:1 b:2 é:3] map[a:%!s(float64=1) b:%!s(float64=2) é:%!s(float64=3)]',
  ],
  [
    'Go syntax',
    '{{ printf "%#v %#v %#v %#v %#v" .name 1 .f .list .map }}',
    '"Ada" 1 2.5 []interface {}{"a", "b", "c"} map[string]interface {}{"a":1, "b":2, "é":3}',
  ],
  [
    'types',
    '{{ printf "%T %T %T %T %T %T" .name 1 .f .list .map nil }}',
    'string int float64 []interface {} map[string]interface {} <nil>',
  ],
  ['nothing', '{{ printf "%v %s %d" .missing .missing .missing }}', '<nil> %!s(<nil>) %!d(<nil>)'],
  ['a wrong verb', '{{ printf "%d %z %!" .name 1 }}', '%!d(string=Ada) %!z(int=1) %!!(MISSING)'],
  ['a missing argument', '{{ printf "%d %s" 1 }}', '1 %!s(MISSING)'],
  ['extra arguments', '{{ printf "%d" 1 2 .name }}', '1%!(EXTRA int=2, string=Ada)'],
  ['an end without a verb', '{{ printf "%" }} {{ printf "%5" }}', '%!(NOVERB) %!(NOVERB)'],
  ['percent', '{{ printf "100%% %5%" }}', '100% %'],
  ['width from an argument', '{{ printf "%*d|%-*d|%.*f" 5 1 5 1 2 .f }}', '    1|1    |2.50'],
  ['a wrong width', '{{ printf "%*d" .name 1 }}', '%!(BADWIDTH)1'],
  ['a negative width', '{{ printf "%*d|" -5 1 }}', '1    |'],
  ['indexes', '{{ printf "%[2]d %[1]d %d" 1 2 }}', '2 1 2'],
  ['a wrong index', '{{ printf "%[5]d %[x]d %[]d" 1 }}', '%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX)'],
  ['an index before a width', '{{ printf "%[1]*d" 5 6 }} {{ printf "%[2]*[1]d" 2 5 }}', '    6     2'],
  ['quotes', '{{ printf "%q %+q %#q" "é\\n`" "é\\n" "é" }}', '"é\\n`" "\\u00e9\\n" `é`'],
  ['unicode', '{{ printf "%U %#U %c %q" 0x1F600 0x1F600 0x1F600 0x1F600 }}', "U+1F600 U+1F600 '😀' 😀 '😀'"],
  ['a huge width swallows the rest', '{{ printf "%1000000000d|" 1 }}', '%!(NOVERB)%!(EXTRA int=1)'],
  [
    'a format that is no text',
    '{{ printf 1 }}',
    fault(1, 4, 'wrong type for value; expected string; got int (the format of printf)'),
  ],
  ['complex', '{{ printf "%v %.1f" 1+2i 1i }}', '(1+2i) (0.0+1.0i)'],
  ['bytes of a text', '{{ printf "%d %v" (index .name 0) (index .name 0) }}', '65 65'],
  ['in lists flags go to each', '{{ printf "%5v|%-4q" .list .list }}', '[    a     b     c]|["a"  "b"  "c" ]'],
])
