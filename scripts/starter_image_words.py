"""The words of the starter image model: the pictures it learns and the other names by which people ask for them.

Owns the list. Written as `caption = other name, other name`, parted by semicolons; a caption stands as in the data.
Left out of the data are signs, flags, arrows, letters, clock faces, families and trades: too alike at 64 pixels, or
text.
"""

FACES = """
grinning face = happy face; face with tears of joy = laughing face, joy, lol; smiling face with halo = angel face,
halo; smiling face with horns = devil, demon; winking face = wink; smiling face with smiling eyes = smiley, blushing
face; neutral face; smiling face with heart shaped eyes = heart eyes, face in love, love face; smiling face with
sunglasses = cool face, cool, face with sunglasses; pensive face = sad face, sad; face throwing a kiss = blowing a
kiss; face with stuck out tongue = tongue out, silly face; angry face = anger, angry; crying face = tear, crying;
loudly crying face = sobbing, bawling; sleeping face = sleep, zzz, asleep; face screaming in fear = scream, terror;
astonished face = surprised face, shocked face; face with medical mask = mask, ill face; slightly smiling face =
smile, smiling face, happy; slightly frowning face = frown; upside down face; face with rolling eyes; money mouth
face; face with thermometer = sick face, fever; nerd face = nerd, face with glasses; thinking face = thinking, hmm;
robot face = robot; face with cowboy hat = cowboy; nauseated face = green face, nausea; rolling on the floor laughing
= rofl; grinning face with star eyes = star eyes, starstruck; shocked face with exploding head = exploding head, mind
blown; face with party horn and party hat = party face; overheated face = hot face; freezing face = cold face, blue
face; sun with face; new moon with face; ghost = spooky ghost; extraterrestrial alien = alien; alien monster = space
invader, monster; skull = death; skull and crossbones; pile of poo = poo, poop; jack o lantern = halloween pumpkin,
pumpkin; snowman = snow man; baby; father christmas = santa, santa claus; police officer = policeman
"""

ANIMALS = """
cat = kitty, kitten; cat face = cat head, kitten face; dog = puppy; dog face = dog head, puppy face; mouse face =
mouse head; mouse; rabbit face = bunny, bunny face; rabbit; hamster face = hamster; fox face = fox; bear face = bear;
panda face = panda; koala; tiger face; tiger; lion face = lion; cow; pig face = pig head, piglet; pig; frog face =
frog; monkey face = monkey head; monkey; horse face = horse head; horse; unicorn face = unicorn; zebra face = zebra;
deer; wolf face = wolf; raccoon; chicken = hen; rooster = cock; penguin; bird; baby chick = chick; hatching chick;
duck; eagle; owl; bat; parrot; flamingo; peacock; swan; bug = caterpillar; honeybee = bee; lady beetle = ladybug,
ladybird; spider; spider web = cobweb; fly; beetle; snail; spiral shell = shell, seashell; octopus; shrimp; lobster;
crab; blowfish; fish; dolphin; spouting whale = blue whale; shark; seal; crocodile = alligator; turtle = tortoise;
snake; dragon face = dragon head; t rex = tyrannosaurus; elephant; hippopotamus = hippo; giraffe face = giraffe;
kangaroo; llama = alpaca; sheep = lamb; dromedary camel = camel; hedgehog = porcupine; otter; chipmunk = squirrel; paw
prints = paws; feather
"""

FOOD = """
red apple = apple, fruit; green apple; pear; tangerine = orange, mandarin; lemon; lemon large green square = lime;
banana; watermelon; grapes = grape; strawberry; cherries = cherry; peach; mango; pineapple; coconut; tomato; avocado;
broccoli; cucumber; hot pepper = chili, chili pepper; ear of maize = corn, maize; carrot; garlic; potato; croissant;
bread = loaf, toast; pretzel; cheese wedge = cheese; egg; cooking = fried egg; butter; pancakes = pancake; waffle;
poultry leg = chicken leg, drumstick; bone; hot dog; hamburger = burger; french fries = fries, chips; slice of pizza =
pizza; taco; spaghetti = pasta, noodles; sushi; cooked rice = rice, bowl of rice; ice cream; cupcake = muffin;
birthday cake = cake; candy = sweet; chocolate bar = chocolate; popcorn; doughnut = donut; cookie = biscuit; honey pot
= honey, jar of honey; hot beverage = coffee, hot coffee, cup of coffee; teapot; beer mug = beer; wine glass = wine,
red wine; cocktail glass = cocktail, martini; tropical drink; cup with straw = soda, drink; mushroom; chestnut;
blueberries = blueberry
"""

NATURE = """
evergreen tree = tree, pine tree, fir; christmas tree; palm tree; cactus; seedling = plant, sprout; four leaf clover =
clover, luck; maple leaf; fallen leaf = autumn leaf; tulip = flower; rose = red rose; hibiscus; cherry blossom;
sunflower; bouquet = flowers; crescent moon; full moon symbol = full moon, moon; earth globe americas = earth, world,
planet earth; ringed planet = saturn, planet; white medium star = star, yellow star; glowing star = shining star;
shooting star; comet; black sun with rays = sun; cloud; cloud with rain = rain, rain cloud; cloud with snow; cloud
with lightning = storm, thunderstorm; rainbow; snowflake = snow; fire = flame, hot fire; droplet = water, drop, water
drop; water wave = wave, sea, ocean; high voltage sign = lightning, lightning bolt; collision symbol = explosion,
bang; sparkles = sparkle, glitter; cyclone = spiral; mountain; volcano
"""

THINGS = """
heavy black heart = red heart, heart, love; orange heart; yellow heart; green heart; blue heart; purple heart; broken
heart; two hearts; sparkling heart; heart with arrow; automobile = car, red car; bus; police car; ambulance; fire
engine = fire truck; racing car = race car; motor scooter; bicycle = bike; rocket = space rocket, spaceship; flying
saucer = ufo; airplane = plane, aeroplane; sailboat = boat, sailing boat; anchor; house building = house, home;
european castle = castle; tent; soccer ball = football, ball; basketball and hoop = basketball; baseball; tennis
racquet and ball = tennis, tennis ball; volleyball; trophy = cup, winner; direct hit = target, dart; game die = dice,
die; jigsaw puzzle piece = puzzle; teddy bear; guitar; violin; drum with drumsticks = drum; musical note = music,
note; camera; television = tv; mobile phone = smartphone, cell phone; personal computer = laptop; floppy disk;
battery; electric light bulb = light bulb, bulb, idea; candle; alarm clock = clock; watch = wristwatch; hourglass;
key; lock = padlock; bell; hammer; axe; wrench; screwdriver; gear = cog; magnet; black scissors = scissors; pencil;
lower left paintbrush = paintbrush, brush; closed book = red book, book; green book; books; calendar; envelope =
letter, mail; package = box, parcel; money bag = money; banknote with dollar sign = dollar, cash; gem stone = diamond,
gem, blue diamond; ring; crown = king, queen; top hat = hat; graduation cap; eyeglasses = glasses; dark sunglasses =
sunglasses; t shirt = shirt; jeans = trousers, pants; dress; athletic shoe = sneaker; high heeled shoe = red shoe,
high heel; handbag = bag; school satchel = backpack; umbrella = rain umbrella; balloon = red balloon; party popper =
party; crystal ball; dagger knife = dagger; hocho = knife, kitchen knife; shield; bomb; pill = medicine; eyes; mouth =
lips; tooth; kiss = kiss mark; thumbs up sign = thumbs up, like; thumbs down sign = thumbs down, dislike; flexed
biceps = muscle, strong; raised hand; speech balloon = speech bubble; hundred points symbol = hundred, 100; warning
sign = warning; octagonal sign = stop sign, stop; heavy check mark = check mark; cross mark = red cross, x; large red
circle = red circle, red ball; large blue circle = blue circle; large green circle = green circle; large yellow circle
= yellow circle; large orange circle = orange circle; large purple circle = purple circle; large red square = red
square; large blue square = blue square; large green square = green square; large yellow square = yellow square; large
orange square = orange square; large purple square = purple square; black large square = black square; up pointing red
triangle = red triangle; triangular flag on post = red flag, flag
"""

# What is learnt first, for these are asked for most.
FIRST = """
grinning face; face with tears of joy; winking face; smiling face with heart shaped eyes; smiling face with
sunglasses; angry face; crying face; sleeping face; ghost; extraterrestrial alien; alien monster; skull; pile of poo;
jack o lantern; snowman; robot face; slightly smiling face; slightly frowning face; astonished face; cat face; dog
face; mouse face; rabbit face; fox face; bear face; panda face; koala; tiger face; lion face; pig face; frog face;
monkey face; horse face; unicorn face; wolf face; penguin; baby chick; owl; honeybee; lady beetle; octopus; crab;
fish; dolphin; spouting whale; turtle; elephant; hatching chick; snail; duck; rooster; cow; red apple; green apple;
pear; tangerine; lemon; lemon large green square; banana; watermelon; grapes; strawberry; cherries; peach; pineapple;
tomato; carrot; ear of maize; broccoli; avocado; hamburger; french fries; slice of pizza; egg; cooking; bread; ice
cream; doughnut; cookie; birthday cake; cupcake; candy; hot beverage; beer mug; wine glass; mushroom; cheese wedge;
hot dog; croissant; popcorn; honey pot; evergreen tree; christmas tree; palm tree; cactus; seedling; four leaf clover;
tulip; rose; sunflower; cherry blossom; maple leaf; crescent moon; full moon symbol; earth globe americas; white
medium star; black sun with rays; cloud; cloud with rain; rainbow; snowflake; fire; droplet; high voltage sign;
volcano; water wave; mountain; ringed planet; heavy black heart; orange heart; yellow heart; green heart; blue heart;
purple heart; broken heart; automobile; bus; police car; bicycle; rocket; flying saucer; airplane; sailboat; house
building; european castle; soccer ball; basketball and hoop; game die; guitar; violin; musical note; camera;
television; mobile phone; personal computer; electric light bulb; candle; alarm clock; key; lock; bell; hammer;
pencil; closed book; envelope; gem stone; ring; crown; top hat; eyeglasses; t shirt; jeans; dress; umbrella; balloon;
bomb; trophy; teddy bear; thumbs up sign; thumbs down sign; eyes; hundred points symbol; warning sign; cross mark;
heavy check mark; large red circle; large blue circle; large green circle; large yellow circle; large orange circle;
large purple circle; large red square; large blue square; large green square; large yellow square; anchor; direct hit
"""


def parse(text: str) -> dict[str, list[str]]:
    """Captions with their other names."""
    found: dict[str, list[str]] = {}
    for entry in " ".join(text.split()).split(";"):
        caption, _, others = entry.partition("=")
        if caption.strip():
            found[caption.strip()] = [name.strip() for name in others.split(",") if name.strip()]
    return found


def known_names() -> dict[str, list[str]]:
    return parse(";".join((FACES, ANIMALS, FOOD, NATURE, THINGS)))


def vocabulary(captions: list[str], first: bool = False) -> tuple[list[int], list[list[str]]]:
    """Which pictures are learnt, as indices, and all names of each; every picture when the list knows none of them.

    first: only those that are asked for most.
    """
    known = known_names()
    wanted = parse(FIRST) if first else known
    chosen = [i for i, caption in enumerate(captions) if caption in wanted and caption not in captions[:i]]
    if not chosen:
        chosen = list(range(len(captions)))
    return chosen, [[captions[i], *known.get(captions[i], [])] for i in chosen]
